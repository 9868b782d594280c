"""Fetch an address over HTTP or HTTPS and say what came back."""

import argparse
import ssl
import sys

import httpx


def main() -> int:
    options = parse()
    try:
        # Without a file of its own this takes the certificates that the system trusts.
        trust = ssl.create_default_context(cafile=options.ca)
    except (OSError, ssl.SSLError) as error:
        print(f"fetch: cannot use the certificates in {options.ca}: {error}", file=sys.stderr)
        return 2
    try:
        answer = httpx.get(options.url, verify=trust, follow_redirects=True, timeout=options.timeout)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        print(f"fetch: {options.url}: {error or type(error).__name__}", file=sys.stderr)
        return 1
    print(f"{answer.status_code} {answer.reason_phrase}, {len(answer.content)} bytes")
    return 0 if answer.is_success else 1


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="fetch", description=__doc__)
    parser.add_argument("url", help="what to fetch, e.g. https://example.com")
    parser.add_argument("--ca", metavar="FILE", help="trust the certificates in this PEM file, not the system's")
    parser.add_argument("--timeout", type=float, default=10.0, metavar="SECONDS", help="default: %(default)s")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
