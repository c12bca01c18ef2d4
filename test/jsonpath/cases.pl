#!/usr/bin/perl
# cases.pl RFC_CHECKOUT COMPARISON_CHECKOUT: the cases of both suites as lines
# for COPY: suite, name, kind, path, document, the results that are right (an
# array of arrays), a note. Either checkout may be "-".
use strict;
use warnings FATAL => 'all';

use JSON::PP;

my $json = JSON::PP->new->utf8->allow_nonref->canonical;

# \N where there is none; a NUL, which no text holds, becomes a mark.
sub field
{
	my ($text) = @_;

	return '\N' if !defined $text;
	$text =~ s/\\/\\\\/g;
	$text =~ s/\t/\\t/g;
	$text =~ s/\n/\\n/g;
	$text =~ s/\r/\\r/g;
	$text =~ s/\0/<NUL>/g;
	return $text;
}

sub put
{
	print join("\t", map { field($_) } @_), "\n";
}

sub slurp
{
	my ($path) = @_;

	open(my $file, '<:raw', $path) or return;
	local $/;
	my $text = <$file>;
	close $file;
	return $text;
}

# ---------------------------------------------------------------------------
# RFC 9535. Strings are kept as bytes of UTF-8.
# ---------------------------------------------------------------------------
sub bytes
{
	my ($text) = @_;

	utf8::encode($text);
	return $text;
}

sub rfc_cases
{
	my ($checkout) = @_;
	my $text = slurp("$checkout/cts.json") // die "$checkout/cts.json: $!\n";

	for my $test (@{ $json->decode($text)->{tests} })
	{
		my $invalid = $test->{invalid_selector};
		my $results = $test->{results} // [ $test->{result} ];

		put('rfc', bytes($test->{name}), $invalid ? 'invalid' : 'valid', bytes($test->{selector}),
			$invalid ? undef : $json->encode($test->{document}),
			$invalid ? undef : $json->encode($results), undef);
	}
}

# ---------------------------------------------------------------------------
# The comparison. Its consensus stands in the published pages alone; what Java
# JsonPath answers where it is of another mind stands in its own file.
# ---------------------------------------------------------------------------
sub consensus
{
	my ($page) = @_;
	my ($text) = $page =~ m{<h3 id="consensus">Consensus</h3>\s*<pre><code>(.*?)</code></pre>}s;

	return if !defined $text;
	$text =~ s/&lt;/</g;
	$text =~ s/&gt;/>/g;
	$text =~ s/&quot;/"/g;
	$text =~ s/&#39;/'/g;
	$text =~ s/&amp;/&/g;
	return eval { $json->decode($text); 1 } ? $text : undef;
}

sub java_answers
{
	my ($checkout) = @_;
	my $text = slurp("$checkout/regression_suite/Java_com.jayway.jsonpath.yaml")
	  // die "$checkout has no results of Java JsonPath\n";
	my %answers;

	for my $query (split /^  - id: /m, $text)
	{
		my ($id, $rest) = $query =~ /^(\S+)\n(.*)/s or next;

		$answers{$id} = { map { /^\s+(\w+): (.*)$/ ? ($1 => $2) : () } split /\n/, $rest };
	}
	return %answers;
}

sub comparison_cases
{
	my ($checkout) = @_;
	my %java = java_answers($checkout);

	for my $directory (sort glob "$checkout/queries/*/")
	{
		my ($name) = $directory =~ m{([^/]+)/$};
		my $path = slurp("$directory/selector") // next;
		my $consensus = consensus(slurp("$checkout/docs/results/$name.html") // '');
		my $answer = $java{$name};

		$path =~ s/\n\z//;
		if (!defined $consensus)
		{
			put('comparison', $name, 'open', $path, slurp("$directory/document.json"), undef, $answer->{result});
			next;
		}
		put('comparison', $name, $answer ? 'other' : 'agreed', $path, slurp("$directory/document.json"),
			"[$consensus]", $answer->{result});
	}
}

my ($rfc, $comparison) = @ARGV;
rfc_cases($rfc) if $rfc ne '-';
comparison_cases($comparison) if $comparison ne '-';
