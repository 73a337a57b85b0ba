"""The dialect of SMSEagle, a box that sends SMS: APIv1, JSON-RPC and APIv2 (www.smseagle.eu/api)."""
