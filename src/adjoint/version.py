"""The version of this package, for those who must not import the package itself."""

VERSION = "0.1.0"
