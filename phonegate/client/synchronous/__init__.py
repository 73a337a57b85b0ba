"""The client for programs that wait, made from the folder `asynchronous`: see there."""
