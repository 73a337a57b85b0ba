"""The image and the compose files, built and run by a real engine."""
