"""The third-party API of SMS Gateway for Android, which sends and reads by the gateway's phones."""
