"""The dialect of playSMS, a messaging system: its webservices, `?app=ws` (playsms.org)."""
