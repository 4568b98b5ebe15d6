"""naap_twisted/config, room by room."""
