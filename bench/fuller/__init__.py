"""The fuller baseline, what a careful user would write instead of phonegate.

FastAPI, uvicorn and one aiosqlite connection, with accounts, slow hashes and routes to SIMs.

The five endpoints and the phone link, with each message committed durably (WAL,
`synchronous=FULL`), by itself, before it is answered or pushed: of a batch too, in the plain loop
that most would write. `--batched` gives a call one commit, which is better than that: the bench
shows it beside the other, as an extra. It is written to be good at what is
measured, and leaves out what phonegate does beyond that.
"""
