"""Twilio's API for messages, version 2010-04-01, as its clients know it.

Sources: twilio.com/docs/messaging/api, /docs/phone-numbers/api and its dictionary of errors; the
official libraries for Python and Node.
"""
