"""The gateway for AI agents: a server of the Model Context Protocol at one address, `/mcp`."""
