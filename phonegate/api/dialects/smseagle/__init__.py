"""The dialect of SMSEagle, a box that sends SMS: its APIv1, JSON-RPC and APIv2 (smseagle.eu)."""
