"""Doubles of the Android app SMS Gateway for Android, as far as a gateway can see it.

They speak the app's mobile API as its sources do, with its retries, its pauses and its faults. They
import nothing of the gateway, so that they keep the app's contract and not ours.
"""
