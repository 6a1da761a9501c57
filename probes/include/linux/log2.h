/* Empty: BCC includes it, nothing here uses it. */
