"""Conversations with a server of Temporal's protocol, call by call: what is said here is recorded from Temporal's own server
(`recorded/talks`), and compared with ours."""
