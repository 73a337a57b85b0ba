"""The dialect of Jasmin, the SMS gateway: its HTTP API and its REST API (docs.jasminsms.com)."""
