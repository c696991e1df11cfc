"""Commands whose help and mistakes are told in Vietnamese."""

import click

OPTIONS = "[TÙY CHỌN]"

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
            formatter.write_dl(rows)
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

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands in the order they are defined."""
        with formatter.section("Lệnh"):
            formatter.write_dl([(name, command.get_short_help_str(90)) for name, command in self.commands.items()])

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Keep the order of use."""
        return list(self.commands)


def usage_problem(error: click.UsageError) -> str:
    """What is wrong with a command as it was typed, with the value and the reason where click knows them."""
    name = error.param.human_readable_name if getattr(error, "param", None) else ""
    match error:
        case click.MissingParameter():
            return f"Thiếu tham số {name}."
        case click.NoSuchOption():
            return f"Không có tùy chọn {error.option_name}."
        case click.BadParameter():
            return f"Giá trị của {name} không hợp lệ: {error.message}."
        case _ if error.ctx and isinstance(error.ctx.command, click.Group):
            return f"Không có lệnh này; các lệnh: {', '.join(error.ctx.command.commands)}."
        case _:
            return "Lệnh viết chưa đúng."
