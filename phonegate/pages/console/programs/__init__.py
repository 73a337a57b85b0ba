"""What programs use of the gateway: API keys, webhooks, assistants and events."""
