"""An Android phone as a radio, by the commands of Termux:API."""
