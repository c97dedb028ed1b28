"""The portal as a server of the Model Context Protocol, and as the client of one external MCP server."""
