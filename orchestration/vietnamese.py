"""Commands whose help and mistakes are told in Vietnamese."""

import re

import click

OPTIONS = "[TÙY CHỌN]"

ARGUMENTS = "LỆNH [THAM SỐ]..."
"""What follows the name of a group."""

FOLDER, FILE, PLACES = "THƯ_MỤC", "TỆP", "NƠI..."
"""What stands in the help for a value; places are files and folders."""

HELP_OPTION = {"help_option_names": ["-h", "--help"], "max_content_width": 110}


class Vietnamese(click.Command):
    """A command whose help has Vietnamese headings."""

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the usage line."""
        formatter.write_usage(ctx.command_path, " ".join(self.collect_usage_pieces(ctx)), prefix="Cách dùng: ")

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options, and for a group its commands."""
        rows = [row for parameter in self.get_params(ctx) if (row := parameter.get_help_record(ctx))]
        with formatter.section("Tùy chọn"):
            formatter.write_dl([(name, _ADDED.sub(_added, told)) for name, told in rows])
        if isinstance(self, click.Group):
            self.format_commands(ctx, formatter)

    def get_help_option(self, ctx: click.Context) -> click.Option | None:
        """Describe ``--help`` in Vietnamese."""
        option = super().get_help_option(ctx)
        if option:
            option.help = "Hiển thị trợ giúp này."
        return option


class VietnameseGroup(Vietnamese, click.Group):
    """A group of commands whose help has Vietnamese headings."""

    command_class = Vietnamese

    def __init__(self, *arguments: object, **settings: object) -> None:
        """Name what follows the group in Vietnamese; a group that does something itself needs nothing to follow."""
        bare = settings.get("invoke_without_command")
        settings.setdefault("subcommand_metavar", f"[{ARGUMENTS}]" if bare else ARGUMENTS)
        super().__init__(*arguments, **settings)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands in the order they are defined."""
        with formatter.section("Lệnh"):
            formatter.write_dl([(name, command.get_short_help_str(90)) for name, command in self.commands.items()])

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Keep the order of use."""
        return list(self.commands)


_ADDED = re.compile(r"(?<=  )\[([^]]+)\]$")
"""What click adds to the help of an option."""

_BOTH_ENDS = re.compile(r"(\d+)<=x<=(\d+)")


def _added(found: re.Match[str]) -> str:
    words = {"required": "bắt buộc", "default: ": "mặc định: "}
    told = _BOTH_ENDS.sub(r"từ \1 đến \2", found[1])
    return f"[{re.sub('|'.join(words), lambda word: words[word[0]], told)}]"


def usage_problem(error: click.UsageError) -> str:
    """What is wrong with a command as it was typed, with the value and the reason where click knows them."""
    parameter = getattr(error, "param", None)
    name = max(parameter.opts, key=len) if isinstance(parameter, click.Option) else ""
    if isinstance(parameter, click.Argument):
        name = parameter.human_readable_name
    match error:
        case click.MissingParameter():
            return f"Thiếu tham số {name}."
        case click.NoSuchOption():
            return f"Không có tùy chọn {error.option_name}."
        case click.BadOptionUsage():
            return f"Tùy chọn {error.option_name} viết chưa đúng: {_quantity(error)}."
        case click.BadParameter():
            return f"Giá trị của {name} không hợp lệ: {_value_problem(error).rstrip('.')}."
        case _ if error.ctx and isinstance(error.ctx.command, click.Group):
            return f"Không có lệnh này; các lệnh: {', '.join(error.ctx.command.commands)}."
        case _ if extra := re.search(r"unexpected extra arguments? \((.*)\)$", error.message):
            return f"Thừa tham số: {extra[1]}."
        case _:
            return "Lệnh viết chưa đúng."


def _quantity(error: click.BadOptionUsage) -> str:
    return "nó không nhận giá trị" if "not take a value" in error.message else "nó cần một giá trị"


def _value_problem(error: click.BadParameter) -> str:
    """What was found and what is wanted; a type of our own says it itself."""
    match error.param.type if error.param else None:
        case click.types.IntRange() as wanted:
            told = f"một số nguyên từ {wanted.min} đến {wanted.max}"
        case click.types.IntParamType():
            told = "một số nguyên"
        case click.Choice() as wanted:
            told = f"một trong: {', '.join(wanted.choices)}"
        case click.Path() as wanted:
            told = "tên một thư mục" if not wanted.file_okay else "tên một tệp"
        case _:
            return error.message
    found = re.match(r"(?:File |Directory )?'?(.*?)'? is ", error.message)
    return f"tìm thấy “{found[1]}”, cần {told}" if found else f"cần {told}"
