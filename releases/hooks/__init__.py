"""Deliveries of other systems become changes. One module a provider: this folder's listing is
what we integrate; each has `verify()`, which refuses what is not signed as it should be, and
`read()`, which says what a delivery tells of."""
