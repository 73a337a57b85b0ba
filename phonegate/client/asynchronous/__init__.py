"""The client for asyncio and Trio. The folder `synchronous` is made from this one."""
