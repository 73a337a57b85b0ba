"""An Android phone with Termux:API that is none: fake `termux-*` commands around a folder.

The texts of the phone are rows of SQLite, so that the conditions of queries are as real as on
Android, with its rules: an app that is not the phone's SMS app sees received and sent texts alone,
a sent one appears when the network has it, and the highest `_id` comes again after a deletion.
Everything that goes wrong on phones is a knob (`FakeTermux.set`). It stands on what the sources of
Termux:API and Android say; nothing of it was compared with a phone.
"""

from kit.fake_termux.phone import Broadcast, Call, FakeTermux

__all__ = ["Broadcast", "Call", "FakeTermux"]
