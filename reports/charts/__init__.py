"""Charts, one module each: what it reads, what it says, how it is drawn."""
