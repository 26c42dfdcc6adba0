"""Handing a draft to the page: its form is filled in, and a browser wallet signs."""

import base64
import webbrowser
from pathlib import Path
from typing import Final

from pot.output import Reply
from pot.session import Session
from protocol.canonical import canonical_json
from protocol.errors import InvalidInput

MAX_LINK_BYTES: Final = 30_000


def post_in_browser(session: Session, path: Path) -> Reply:
    """Check the draft, store its data set, and open the page with the spec filled in. No key is read.

    Raises what ``Client.draft`` raises, and InvalidInput when the spec does not fit into a link.
    """
    client = session.client("poster")
    draft = client.draft(path)
    client.terms(draft)
    client.blobs.put(draft.dataset_blob)
    client.blobs.put(draft.policy.blob)
    url = form_url(client.settings.need("api_url"), draft.spec.to_value())
    opened = webbrowser.open(url)
    said = "The page opens: look at the quote and sign there." if opened else "Open this page and sign there:"
    return Reply(data={"url": url, "opened": opened, "spec_hash": draft.spec.hash.hex()}, text=[said, url])


def form_url(api_url: str, spec: dict[str, object]) -> str:
    """The page's form with ``spec`` in its fragment, which no server is sent."""
    text = base64.urlsafe_b64encode(canonical_json(spec)).decode().rstrip("=")
    if len(text) > MAX_LINK_BYTES:
        raise InvalidInput("The spec is too large for a link: post it with `pot task post`.")
    return f"{api_url.rstrip('/')}/post#draft={text}"
