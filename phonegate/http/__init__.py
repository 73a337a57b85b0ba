"""What every HTTP edge shares: pages that may call, credentials, path prefixes and errors."""
