"""The gateway described for programs: OpenAPI 3.1, made from the table of endpoints."""
