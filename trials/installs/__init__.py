"""Each way of installing phonegate, from a bare Debian 12 to the first simulated message."""
