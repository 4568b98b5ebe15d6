"""What a person sees: real pages in headless Chromium, page and proxy on different origins."""
