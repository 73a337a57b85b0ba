"""Figures of an org, and the plots that these and other screens are drawn by."""
