"""The auditor: a task checked from contract events and blobs alone, by somebody who trusts nobody."""
