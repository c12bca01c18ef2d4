#!/usr/bin/perl
# texts.pl COUNT SEED: texts of up to 150 characters for COPY, the worst
# nestings first, then COUNT random ones.
use strict;
use warnings FATAL => 'all';
use utf8;

binmode STDOUT, ':encoding(UTF-8)';
my ($count, $seed) = @ARGV;
srand $seed;

sub put
{
	my ($text) = @_;

	$text = substr $text, 0, 150;
	$text =~ s/\\/\\\\/g;
	$text =~ s/\n/\\n/g;
	$text =~ s/\r/\\r/g;
	$text =~ s/\t/\\t/g;
	print "$text\n";
}

# OPEN repeated, an inner text, and CLOSE as often, as many as fit.
sub nest
{
	my ($before, $open, $inner, $close, $after) = @_;
	my $length = length "$open$close";
	my $times = $length ? int((150 - length "$before$inner$after") / $length) : 0;

	put($before . $open x $times . $inner . $close x $times . $after);
	put($before . $open x 150);
}

# Loops in loops, in both languages.
sub nested_loops
{
	my ($open, $times) = @_;
	my @both;

	for my $close (')*', ')+', '){2}', '){0,2}')
	{
		my $pattern = $open x $times . $close x $times;

		push @both, [ '$[?search(@,"' . $pattern, '', '', '', '")]' ], [ '$ ? (@ like_regex "' . $pattern, '', '', '', '")' ];
	}
	return @both;
}

my @nestings = (
	[ '$', '[?@', '', ']', '' ], [ '$', '[?', '@', ']', '' ], [ '$[?', '(', '@', ')', ']' ],
	[ '$[?', '!(', '@', ')', ']' ], [ '$[?', '(@==', '@', ')', ']' ], [ '$[?', 'length(', '@', ')', '==1]' ],
	[ '$[?', 'value(', '@', ')', '==1]' ], [ '$[?', '!(@!=', '@', ')', ']' ], [ '$', '[?@[0,', "'a'", ']', ']' ],
	[ '$[?', '(', '@.a<=@.b', ')', ']' ], [ '$', '..*', '', '', '' ], [ '$', '..[?@', '', ']', '' ],
	[ '$[?match(@,"', '(', 'a', ')', '")]' ], [ '$[?match(@,"', '(', 'a', ')*', '")]' ],
	[ '$[?match(@,"', '(', 'a', '){9}', '")]' ], [ '$[?match(@,"', '(a|', 'a', '){0,3}', '")]' ],
	[ '$[?match(@,"', '[^a]{99}', '', '', '")]' ], [ '$[?search(@,"', '.{0,99}', '', '', '")]' ],
	[ '$[?(@=~/', '(x|', 'y', ')+', '/i)]' ], [ '$[?(@=~/x', '[a-zé]{50}', '', '', '/i)]' ],
	[ '$[?', '@.a<=@.b||', '@', '', ']' ], [ '$[?', '@!=@.a&&', '@', '', ']' ], [ '$[', '0,', '0', '', ']' ],
	[ '$[', '-64::1,', '0', '', ']' ], [ '$[', '-9::2,', '0', '', ']' ], [ '$[-126::2', ',-126::2', '', '', ']' ],
	[ '$[', '"a",', '"b"', '', ']' ], [ '$[?(@ in [', '1,', '1', '', '])]' ], [ '$[?(@ subsetof [', "'1',", "'1'", '', '])]' ],
	[ '$[?length(@)<=999', '&&length(@)<=999', '', '', ']' ], [ '$[?(@ size 250', '||@ size 249', '', '', ')]' ],
	[ '$[?length(@)>999', '&&length(@)>999', '', '', ']' ], [ '$[?count(@.*)<3', '&&count(@.*)<3', '', '', ']' ],
	[ '$', ' ? (@', '', ')', '' ], [ '', '(', '$', ')', '' ], [ '', '-', '$', '', '' ], [ '', '!(', '$ == 1', ')', '' ],
	[ '$', '[$', '', ']', '' ], [ '$', '.**', '', '', '' ], [ '', 'exists(', '$', ')', '' ], [ '$', '.a', '', '', '' ],
	[ '$ ? (@ like_regex "', '(', 'a', ')*', '")' ], [ '$ ? (@ like_regex "', '(a{9}', '', '){9}', '")' ],
	[ '$ ? (@ like_regex "', '[!-\u{10fffd}]', '', '', '" flag "i")' ], [ '$ ? (@ like_regex "', '\\\\w\\\\W', '', '', '" flag "i")' ],
	[ '$ ? (@ like_regex "', '(a?', 'b', ')*', '")' ], [ '$ ? (@ like_regex "', '(?=', 'b', ')', '")' ],
	[ '$ ? (@ like_regex "', '(?=.*', 'b', '.*)', '")' ], [ '$ ? (@ like_regex "', '(?:a|b*', 'b', '+)*', '")' ],
	[ '$ ? (@ like_regex "(a)', '(\\\\1', 'b', ')*', '")' ], [ '$ ? (@ like_regex "', '((a*)*|b*)*', '', '', '")' ],
	[ '$ ? (@ like_regex "', '(.*){0,9}', '', '', '")' ], [ '$ ? (@ like_regex "', 'x*', '', '', '{1000}")' ],
	[ '$ ? (@ like_regex "', '(a*|', 'b', '){0,3}', '")' ], [ '$ ? (@ like_regex "', '\\\\y(a|', 'b', ')*', '")' ],
	[ '$[?search(@,"(', 'a?b?', 'c?', '', '){99}")]' ], [ '$[?search(@,"', '(.?){9}', '', '', '")]' ],
	[ '$[?search(@,"', '(a{0,9}b{0,9}', '', ')*', '")]' ], [ '$[?search(@,"', 'a?', '', '', '")]' ],
	[ '$ ? (@ like_regex "(', 'a?b?', 'c?', '', '){99}")' ], [ '$ ? (@ like_regex "', '(.?){9}', '', '', '")' ],
	[ '$ ? (@ like_regex "', '(a{0,9}b{0,9}', '', ')*', '")' ], [ '$ ? (@ like_regex "(', '(a|)', '', '', '){9}")' ],
	[ '$ ? (@ like_regex "', '(a|)', '', '', '")' ], [ '$[?search(@,"', '(a|)', '', '', '")]' ],
	[ '$[?search(@,"(', '(a|)', '', '', '){20}")]' ], [ '$ ? (@ like_regex "', '(|b', '', ')+', '")' ],
	map({ nested_loops($_, 5), nested_loops($_, 20) } '(|b', '(b*|a', '(a?', '(a|', '(a?|', '(^a|', '(a+b?', '(a{0,2}'),
	[ '$ ? (@ like_regex "', '[[:alpha:]]', '', '', '" flag "i")' ], [ '$ ? (@ like_regex "', '(?<!', 'a', ')', '")' ]);
nest(@$_) for @nestings;

my @tokens = ('$', '@', '.', '..', '*', '[', ']', '?', '(', ')', '!', '&&', '||', '==', '!=', '<', '<=', '>', ',', ':',
	'a', '.a', "'a'", '"b"', '0', '-1', '7', '99', 'length(', 'count(', 'value(', 'match(', 'search(', ' ', ' in ',
	' anyof ', ' size ', ' empty ', 'true', 'null', '[?', '[?@', '@.a', '@.b', ' =~ /a/', '1e2', '\\u0041', 'é', '.**',
	' ? (', ' like_regex ', 'exists(', ' starts with ', '.keyvalue()', '.size()', '{1 to 2}', ' flag "i"', 'strict ', 'last', ' to ');
my @regex = ('a', 'b', '.', '*', '+', '?', '|', '(', ')', '[a-z]', '[^b]', '{2}', '{9}', '{0,9}', '{3,}', '\\\\d', '\\\\.', 'é',
	'(?:', '^', '$', '(a|b)', '(a*b)*');

sub some
{
	my ($list, $most) = @_;

	return join '', map { $list->[ rand @$list ] } 1 .. 1 + rand $most;
}

# A well-formed regular expression out of these atoms.
sub grown
{
	my ($atoms, $depth) = @_;
	my $text = '';

	for (1 .. 1 + rand 4)
	{
		$text .= $depth > 0 && rand() < 0.6
		  ? '(' . grown($atoms, $depth - 1) . (rand() < 0.4 ? '|' . grown($atoms, $depth - 1) : '') . ')'
		  : $atoms->[ rand @$atoms ];
		$text .= ('*', '+', '?', '{2}', '{0,3}', '{9}', '{3,}')[ rand 7 ] if rand() < 0.4 && $text =~ /[\w)\].]$/;
	}
	return $text;
}
my @plain = ('a', 'b', '.', '[a-z]', '[^b]', 'é', 'c');
my @odd = (@plain, '^', '\$', '\\\\y', '\\\\m', '\\\\A', '\\\\w', '\\\\W', '\\\\d', '(?=a)', '(?!b)', '(?<=a)', '(?<!c)', '(?:', '(a)\\\\1');
$_ = s/\\\\\\\\/\\\\/r for @odd;

sub fitting
{
	my ($atoms, $length) = @_;
	my $text;

	do
	{
		$text = grown($atoms, 1 + int rand 7);
	} while (length $text > $length);
	return $text;
}
for my $i (1 .. $count)
{
	my $kind = $i % 6;

	put($kind == 0 ? '$' . some(\@tokens, 40)
		: $kind == 1 ? '$[?(' . some(\@tokens, 30) . ')]'
		: $kind == 4 ? '$[?search(@, "' . fitting(\@plain, 130) . '")]'
		: $kind == 5 ? '$ ? (@ like_regex "' . fitting(\@odd, 118) . (rand() < 0.2 ? '" flag "i")' : '")')
		: $kind == 2 ? '$[?match(@, "' . some(\@regex, 40) . '")]'
		: '$ ? (@ like_regex "' . some(\@regex, 40) . '")');
}
