"""`caffe-compat lint`: what Caffe accepts in a net or solver, and people regret."""

import argparse
import json

from caffe_compat.cli import common, without_torch

HELP = "find what Caffe accepts without a word and people regret, in a net or a solver with its nets"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    common.add_look_options(parser, required=False)
    parser.add_argument(
        "--rule", action="append", default=[], metavar="ID", help="apply these rules only (a,b)"
    )
    parser.add_argument(
        "--ignore", action="append", default=[], metavar="ID", help="leave these rules out (a,b)"
    )
    parser.add_argument("--format", choices=("text", "json"), default="text", help="default: text")
    parser.add_argument("--list", action="store_true", help="list the rules with their reasons")


def run(args: argparse.Namespace) -> int:
    """1 says that there are warnings; notes alone are 0."""
    return without_torch.run(_lint, args)


def _lint(args: argparse.Namespace) -> int:
    from caffe_compat.errors import UsageError
    from caffe_compat.inspect import lint
    from caffe_compat.inspect.lint.subject import read_subject
    from caffe_compat.log.write import WARNING, Log
    from caffe_compat.proto import NetState, Phase
    from caffe_compat.proto.text import Reader
    from caffe_compat.solver import fields

    if args.list:
        known = lint.rules().values()
        width = max(len(rule.id) for rule in known)
        print("\n".join(f"{rule.id:{width}}  {rule.severity:7}  {rule.reason}" for rule in known))
        return 0
    if args.net is None:
        raise UsageError("give a net or a solver to look at; --list prints the rules")
    common.allow_code(args)
    subject = read_subject(
        common.locate(args.root, args.net),
        Reader(args.root, args.ignore_unknown, Log(progress=False, level=WARNING)),
        state=NetState(level=args.level, stage=common.stages(args.stage) if args.stage else []),
        phases=[Phase.Value(args.phase)] if args.phase else [],
        inputs=common.shapes(args.input),
        ask=fields.sentences,
    )
    only, ignore = (
        [id.strip() for word in words for id in word.split(",")] for words in (args.rule, args.ignore)
    )
    findings = lint.lint(subject, only, ignore)
    if args.format == "json":
        print(json.dumps([finding.to_dict() for finding in findings], indent=2))
    else:
        for finding in findings:
            print(finding)
    return int(any(finding.severity == lint.WARNING for finding in findings))
