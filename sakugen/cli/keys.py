"""`sakugen keys`: draw keys, enrol public keys, make the first set."""

import json
from pathlib import Path
from typing import Annotated

import typer

from metering.clock import SystemClock
from sakugen import keychain

app = typer.Typer(no_args_is_help=True, help="Draw keys and say which public keys are trusted for what.")


@app.command()
def new(
    name: Annotated[str, typer.Argument(help="Who signs with it; a gateway's name is site/gateway.")],
    out: Annotated[Path, typer.Argument(help="The new private key file; never overwritten.")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Draw a new Ed25519 key and print its public half.

    Example: sakugen keys new mongolia-farm/gw-solar /etc/sakugen/gateway.key
    """
    public = str(keychain.draw(name, out).verifier)
    typer.echo(json.dumps({"name": name, "file": str(out), "public_key": public}) if as_json else public)


@app.command()
def enrol(
    public_key: Annotated[str, typer.Argument(help="The public key, name+hash+base64.")],
    role: Annotated[str, typer.Option(help="gateway, ack, log, operator or tpe.")],
    keys_file: Annotated[Path, typer.Option("--keys", help="The list of trusted keys.")] = Path("keys.toml"),
) -> None:
    """Add a public key to keys.toml; an entry is never replaced.

    Example: sakugen keys enrol "$(cat gateway.pub)" --role gateway --keys keys.toml
    """
    entry = keychain.enrol(keys_file, public_key, role, SystemClock().now_ms())
    typer.echo(f"{keys_file}: {entry.role} key {entry.id} is trusted from {entry.valid_from}")


@app.command()
def bootstrap(
    folder: Annotated[Path, typer.Argument(help="A new folder for the keys.")],
    gateway: Annotated[
        list[str] | None, typer.Option(help="A gateway, site/gateway; may be given more than once.")
    ] = None,
    operator: Annotated[str, typer.Option(help="The operator who signs statements.")] = "operator",
) -> None:
    """Make the first set: ingest's ack key, the operator's key, a key for each gateway, and keys.toml.

    Example: sakugen keys bootstrap keys --gateway mongolia-farm/gw-solar
    """
    chain = keychain.bootstrap(folder, gateway or [], operator, SystemClock().now_ms())
    typer.echo(f"{chain.keys_file}: {len(chain.gateways) + 2} keys. Give each gateway its own file and the ack key:")
    typer.echo(f'  ack_keys = ["{chain.ack_public}"]')
