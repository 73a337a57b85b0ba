"""Types whose fields are declared once: their rules, and the JSON that is read and written."""
