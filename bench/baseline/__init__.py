"""What a user would write instead of phonegate: FastAPI, uvicorn and one aiosqlite connection.

The five endpoints and the phone link, with each message committed durably (WAL,
`synchronous=FULL`) before it is answered or pushed. It is written to be good at what is
measured, and leaves out what phonegate does beyond that.
"""
