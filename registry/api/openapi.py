"""Nothing in, the OpenAPI document out, as it is committed in `docs/openapi.json`."""

import json
from pathlib import Path

from registry.api.app import create_app
from registry.config import RegistrySettings


def openapi_text() -> str:
    """Write the description of the API, OpenAPI 3.1."""
    nowhere = Path("never-opened")
    app = create_app(RegistrySettings(data_dir=nowhere, journal=nowhere, projects=(nowhere,), keys_file=nowhere))
    return json.dumps(app.openapi(), indent=1, ensure_ascii=False) + "\n"
