"""Stand-ins for the tools that build bitstreams."""
