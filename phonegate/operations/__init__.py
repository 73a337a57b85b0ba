"""The operator's view of a running gateway: samples of it, as metrics, alarms and a status."""
