"""Programs that show Alula at work, each run by a test."""
