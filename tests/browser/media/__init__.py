"""Media in Chromium: run by ``tests.browser.test_media``, each module in a network of its own."""
