"""The phone link: phones that connect by websocket and speak JSON."""
