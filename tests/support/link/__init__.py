"""Stand-ins for both sides of the link: boards to talk to, and an accelerator behind it."""
