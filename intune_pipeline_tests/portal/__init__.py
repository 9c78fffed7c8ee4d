"""The portal: pages, API, what protects them."""
