"""Tests of the sandbox cloud, over real HTTPS."""
