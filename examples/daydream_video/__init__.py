"""A page opens a WebRTC ingest at Daydream with its user's own key."""
