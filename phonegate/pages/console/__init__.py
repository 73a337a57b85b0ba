"""The console: conversations, phones and figures in a browser, for those who have signed in.

Each screen is a module with its routes, in the folder of its family; what all screens use stands
beside the folders. What a screen shows and does goes through the API's own endpoints as far as
there are any, for the principal of the session, so that nothing is possible here that the API
would refuse.
"""
