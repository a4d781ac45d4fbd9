"""What each kind of node does, as pure functions over a turn: one file per kind, and `bind` for values."""
