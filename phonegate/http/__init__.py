"""What every HTTP edge shares: who may call from a web page, and how errors are answered."""
