"""The command `morec`."""

from __future__ import annotations

import contextlib
import logging
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.syntax import Syntax

from ..catalog.installed import VERSION
from ..errors import MorecError, nearest
from ..registry import Macro
from . import calls
from .warehouse import check_there, connected, opened, told

app = typer.Typer(help="Multi-objective recommendation inside DuckDB.", no_args_is_help=True)
REPORT = Annotated[
    Path | None, typer.Option(help="Write a report: a file that ends in .html or .png.")
]
PICTURE = Annotated[
    Path | None, typer.Option(help="Draw the front: a file that ends in .png, .svg or .pdf.")
]


SERVED = Annotated[Path, typer.Argument(help="The warehouse file that is served.")]
USER = Annotated[str, typer.Argument(help="The user's name.")]
USERS = Annotated[
    Path | None,
    typer.Option("--users", help="The file of users; that beside the warehouse by default."),
]
user = typer.Typer(help="Who is let in by `morec serve`.", no_args_is_help=True)
app.add_typer(user, name="user")


@app.command()
def demo(
    path: Annotated[Path, typer.Argument(help="The warehouse file to write.")] = Path(
        "demo.duckdb"
    ),
) -> None:
    """Build a warehouse of real grocery orders and show recommendations with their SQL."""
    from . import demo as demonstration

    with told():
        demonstration.run(path, Console())


@app.command("report")
def write_report(
    path: calls.PATH,
    page: Annotated[Path, typer.Argument(help="The page to write, which ends in .html.")],
    recommender: calls.RECOMMENDER = None,
    revenue: Annotated[
        str | None, typer.Option(help="SQL over the events: what was paid, for prices and values.")
    ] = None,
    quantity: Annotated[
        str | None, typer.Option(help="SQL over the events: units of one; 1 by default.")
    ] = None,
    category: Annotated[
        str | None, typer.Option(help="SQL over the items: what prices are learnt together in.")
    ] = None,
    cost: Annotated[
        str | None, typer.Option(help="SQL over the items: what a unit costs; 0 by default.")
    ] = None,
    stock: Annotated[
        str | None, typer.Option(help="SQL over the items: units that there are, for orders.")
    ] = None,
) -> None:
    """Write a page on the lists, customers, campaigns, prices and stock, with the SQL of each."""
    from . import overview

    options = {
        "revenue": revenue, "quantity": quantity, "category": category, "cost": cost,
        "stock": stock,
    }  # fmt: skip
    with told():
        con, name = opened(path, recommender)
        console = Console(stderr=True)
        with contextlib.closing(con), console.status("") as status:
            about = f"the recommender {name} in {path.name}"
            overview.write(con, name, about, options, page, status.update)
        typer.echo(f"wrote {page}")


def _call(
    path: Path,
    macro: Macro,
    recommender: str | None,
    given: dict[str, Any],
    options: dict[str, Any],
) -> None:
    """Run a command that is made of a function of SQL, as of calls.add."""
    from . import query, report

    with told(), contextlib.ExitStack() as stack:
        query.check(options["form"])
        written = options.get("report") or options.get("picture")
        if macro.of == "recommender":
            con, recommender = opened(path, recommender, write=bool(given.get("store")))
            stack.callback(con.close)
        text = calls.statement(macro, recommender, given)
        if options["show"]:
            typer.echo(text)
            return
        if macro.of == "database":
            con = stack.enter_context(contextlib.closing(connected(path)))
        _say(text)
        if macro.name in report.SHOWN and (options["form"] == "table" or written):
            assert recommender is not None
            title = f"the recommender {recommender} in {path.name}"
            called = report.Call(con, recommender, text, calls.read(con, given), title, written)
            Console().print(report.SHOWN[macro.name](called))
            if written is not None:
                typer.echo(f"wrote {written}")
        else:
            query.run(con, text, {}, options["form"], sys.stdout.buffer)


calls.add(app, _call, {"evaluate": {"report": REPORT}, "pareto": {"picture": PICTURE}})


@app.command()
def versions(
    path: calls.PATH,
    recommender: calls.RECOMMENDER = None,
    show: calls.SQL = False,
    form: calls.FORMAT = "table",
) -> None:
    """The versions of a recommender that are kept, and which is in use."""
    from . import query

    with told():
        con, name = opened(path, recommender)
        text = f"SELECT * FROM {calls.plain(name)}.versions ORDER BY id;"
        with contextlib.closing(con):
            if show:
                typer.echo(text)
            else:
                _say(text)
                query.run(con, text, {}, form, sys.stdout.buffer)


def _say(statement: str) -> None:
    """Show the statement that is run, where it is not in the way of results."""
    highlighted = Syntax("", "sql", background_color="default").highlight(statement)
    Console(stderr=True).print(highlighted, soft_wrap=True, end="")


@app.command()
def doctor(
    path: Annotated[Path | None, typer.Argument(help="A warehouse file to look at, too.")] = None,
) -> None:
    """Show what works here, what is missing and what installs it, and whether lists are fresh."""
    from . import doctor as looks

    with told():
        if path is not None:
            check_there(path)
        rows = list(looks.findings(path))
        Console().print(looks.shown(rows))
        if any(row.broken for row in rows):
            raise typer.Exit(1)


@app.command()
def version() -> None:
    """Print the version."""
    typer.echo(VERSION)


@app.command()
def sql(
    path: Annotated[Path, typer.Argument(help="The warehouse file, or :memory:.")],
    command: Annotated[str | None, typer.Option("--command", "-c", help="The statements.")] = None,
    file: Annotated[
        Path | None,
        typer.Option("--file", "-f", exists=True, dir_okay=False, help="A file of statements."),
    ] = None,
    form: Annotated[
        str, typer.Option("--format", help="table, csv, json (a line a row) or parquet.")
    ] = "table",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write there instead of the terminal.")
    ] = None,
    param: Annotated[
        list[str] | None, typer.Option(help="name=value, for $name in the statements.")
    ] = None,
    read_only: Annotated[bool, typer.Option(help="Open the warehouse to read only.")] = False,
) -> None:
    """Run SQL with the functions in a warehouse: given by -c, by -f, or piped in."""
    from . import query

    with told():
        text = query.read(command, file)
        parameters = dict(map(query.parameter, param or []))
        con = connected(path, read_only, there=read_only)
        with contextlib.ExitStack() as stack:
            stack.callback(con.close)
            out = sys.stdout.buffer if output is None else stack.enter_context(output.open("wb"))
            query.run(con, text, parameters, form, out)


@app.command()
def shell(
    path: Annotated[Path, typer.Argument(help="The warehouse file, or :memory:.")] = Path(
        ":memory:"
    ),
    read_only: Annotated[bool, typer.Option(help="Open the warehouse to read only.")] = False,
) -> None:
    """An interactive prompt with the functions in a warehouse."""
    with told():
        if not (sys.stdin.isatty() and sys.stdout.isatty()):
            raise MorecError("shell: it needs a terminal; `morec sql` runs what is piped in")
        from . import shell as prompt

        with contextlib.closing(connected(path, read_only, there=read_only)) as con:
            history = Path(typer.get_app_dir("morec")) / "history"
            prompt.run(con, history, f"morec_sql {VERSION}, {path}")


@app.command()
def serve(
    path: Annotated[Path, typer.Argument(help="The warehouse file.")],
    port: Annotated[int, typer.Option(help="The port; 0 for one that is free.")] = 5433,
    host: Annotated[str, typer.Option(help="The address; others than this machine's need TLS.")] = (
        "127.0.0.1"
    ),
    allow_write: Annotated[
        bool, typer.Option("--allow-write", help="Serve to write, too: tables and recommenders.")
    ] = False,
    users: USERS = None,
    config: Annotated[
        Path | None, typer.Option(exists=True, help="Roles: what their users see and may do.")
    ] = None,
    certificate: Annotated[
        Path | None, typer.Option(exists=True, help="A certificate, for TLS.")
    ] = None,
    key: Annotated[Path | None, typer.Option(exists=True, help="Its key.")] = None,
    require_tls: Annotated[
        bool, typer.Option("--require-tls", help="Let in nobody without TLS.")
    ] = False,
    web_port: Annotated[
        int | None, typer.Option("--web", help="The port of the page and the figures.")
    ] = None,
    log: Annotated[bool, typer.Option(help="Print a line of JSON for each statement.")] = True,
    sessions: Annotated[int, typer.Option(help="How many there may be at once.")] = 100,
    timeout: Annotated[float, typer.Option(help="Seconds for a statement, 0 for no end.")] = 300.0,
    memory: Annotated[str | None, typer.Option(help="Memory of the database, such as 4GB.")] = None,
) -> None:
    """Serve a warehouse to what speaks PostgreSQL: BI tools, psql, JDBC, ODBC."""
    with told():
        server = _served()
        from ..server import opening

        if log:
            logging.basicConfig(format="%(message)s", stream=sys.stderr)
            logging.getLogger("morec_sql.server").setLevel(logging.INFO)
        options = opening.Options(
            host=host,
            port=port,
            allow_write=allow_write,
            users=users,
            config=config,
            certificate=certificate,
            key=key,
            require_tls=require_tls,
            most=sessions,
            timeout=timeout,
            memory=memory,
        )
        running = server.Server(path, options)
        web = None
        if web_port is not None:
            from . import web as pages

            web, web_port = pages.start(running, options, web_port)
        listened, at = running.address
        how = "to read and to write" if allow_write else "to read only"
        typer.echo(
            f"serving {path.name} {how} at {listened}:{at}; a client connects by"
            f" psql -h {listened} -p {at} -U NAME {running.names[0]}"
        )
        if web is not None:
            scheme = "http" if certificate is None else "https"
            typer.echo(f"the page and the figures are at {scheme}://{listened}:{web_port}")
        try:
            server.run_until_signalled(running)
        finally:
            if web is not None:
                web.should_exit = True


@user.command("add")
def add_user(path: SERVED, name: USER, users: USERS = None) -> None:
    """Let a user in, or change the password: asked for, or the first line of what is piped in."""
    with told():
        _served()
        from ..server import users as kept

        kept.check_name(name)
        if sys.stdin.isatty():
            password = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
        else:
            password = sys.stdin.readline().rstrip("\n")
        file = users or kept.users_file(path)
        known = kept.read(file)
        kept.write(file, known | {name: kept.verifier(password)})
        typer.echo(f"{'changed' if name in known else 'added'} {name} in {file.name}")


@user.command("remove")
def remove_user(path: SERVED, name: USER, users: USERS = None) -> None:
    """Let a user in no longer."""
    with told():
        _served()
        from ..server import users as kept

        file = users or kept.users_file(path)
        known = kept.read(file)
        if known.pop(name, None) is None:
            raise MorecError(f"name: there is no user {name!r}; {nearest(name, known)}")
        kept.write(file, known)
        typer.echo(f"removed {name} from {file.name}")


@user.command("list")
def list_users(path: SERVED, users: USERS = None) -> None:
    """The users that are let in."""
    with told():
        _served()
        from ..server import users as kept

        for name in kept.read(users or kept.users_file(path)):
            typer.echo(name)


def _served() -> Any:
    """The module of the server, which needs packages of its own."""
    try:
        from ..server import server
    except ModuleNotFoundError as error:
        raise MorecError(f"serve: it needs {error.name}; pip install 'morec_sql[server]'") from None
    return server


@app.command("dbt")
def dbt_package() -> None:
    """Print the folder of the dbt package, for `local:` in packages.yml."""
    from importlib.resources import files

    typer.echo(files("morec_sql") / "dbt" / "package")


@app.command()
def reference() -> None:
    """Print the reference of all SQL functions, as Markdown."""
    from .reference import reference as page

    typer.echo(page(), nl=False)
