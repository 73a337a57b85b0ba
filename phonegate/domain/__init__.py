"""What phonegate is about: messages, SIMs, orgs. Pure cores, and services over the store."""
